"""What an answer is worth: question sets, plainer searches to compare with, intervals and curves."""
