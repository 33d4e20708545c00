"""The words by which messages are told apart: what a workflow is called, and how people ask for it."""

from graphs.words import WorkflowHints

__all__ = ["WorkflowHints"]


def words_of(text: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(text.split())


# What may stand before a request without changing it.
PREAMBLE = words_of(
    """
    hi hello hey heya hiya morning afternoon evening good please pls plz kindly ok okay so and also well
    thanks team all there countersign bot everyone folks urgent urgently sorry yes now today quick
    request , - ! :
    """
)
# What may begin a lead: "To close the quarter, I need …".
LEADS = words_of("""
    to for because since as due i'm im i my our we we're in with while after before given
    """)
# What may stand between "I need" and its object.
DETERMINERS = words_of(
    """
    a an the some my temporary temporarily temp urgent read write readonly read-only read/write full
    short short-term immediate quick brief new view
    """
)
PREPOSITIONS = words_of("""to for on of in into""")
PARTICULARS = words_of("""from on at with for of in to by between next number no #""")
AFTER_OPTION = words_of("""group groups database db access permission permissions membership role data""")
FILLERS = words_of(
    """
    , - ( ) ; please pls plz thanks thank you now today asap urgently temporarily again only
    """
)
# A sentence with one of these outside its reason speaks about a request, or takes it back.
DOUBT = words_of(
    """
    if when whenever suppose supposing imagine hypothetically assuming assume pretend what who whom
    whose how why where which whether not never no don't dont doesn't didn't won't wouldn't can't cannot
    without says said say saying tell told write wrote writes ask asks asked asking reads example
    instance e.g sample template quote would might may could should behalf instead unless except remove
    removed revoke revoked cancel cancelled canceled or
    """
)
REPORTS = words_of(
    """
    says said say saying told wrote writes write asks asked asking reads posts posted example instance
    e.g sample template quote imagine suppose pretend
    """
)
QUESTION_WORDS = words_of(
    """
    what who whom whose how why where which when what's who's how's whats should shall do does is are am
    """
)
# "I need billing-db to be faster" asks for no access.
STATES = words_of(
    """
    be work stop show have include contain return stay become support get go run do not answer exist
    come
    """
)
SOMEONE_ELSE = words_of(
    """
    him her them us someone somebody everyone everybody anyone colleague colleagues coworker coworkers
    co-worker manager boss intern interns contractor contractors friend teammate teammates assistant
    team staff
    """
)
MONTHS_AND_DAYS = words_of(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july
    august september october november december easter christmas
    """
)
_COUNTED = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
    """
NUMBERS = {word: number for number, word in enumerate(_COUNTED.split())} | {"thirty": 30, "a": 1, "an": 1}
UNITS = {"d": 1, "day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14, "fortnights": 14}
VAGUE = words_of(
    """
    the next about around roughly some few couple of or to at most least up another half - . + ~
    """
)
VAGUE_UNITS = words_of(
    """
    minute minutes hour hours day days week weeks month months quarter quarters year years while bit
    """
)
# Words whose likely misspellings are put right, and slips for them that are words of their own.
SPELLED = words_of(
    """
    need want require request please could would like have give grant provide temporary hello thanks
    thank human agent operator representative person someone somebody speak talk talking chat contact
    customer support service assistance assistant help because database group with
    """
)
REAL_WORDS = words_of("""than tank cold hell""")
