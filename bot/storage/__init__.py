"""The PostgreSQL server behind `bot.database`: embedded or yours, and its migrations."""
