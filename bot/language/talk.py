"""Pure: what a message is that requests nothing: small talk, a call for help, or for a human being."""

import re
from collections.abc import Sequence

from bot.language.vocabulary import words_of

# Greetings, thanks and farewells. A message of nothing else is small talk.
_PHRASES = """
hi|hello|hey|heya|hiya|howdy|greetings|yo|hallo|good morning|good afternoon|good evening|good day
good night|goodnight|morning|evening|afternoon|what's up|whats up|what is up|sup|how are you
how are you doing|how are things|how goes it|how's it going|how is it going|how do you do
how have you been|tell me how you've been|nice to meet you|there|bot|countersign|ai|all|again|everyone
my friend|thanks|thank you|thanks a lot|thank you so much|thank you very much|thanks so much|many thanks
thx|ty|cheers|danke|merci|much appreciated|appreciated|appreciate it|i appreciate it
i appreciate your help|your help is appreciated|i would like to thank you|thanks for your help
thank you for your help|that's all|that is all|that's all i need|for your help|for that|very much|a lot
ok|okay|cool|great|nice|perfect|awesome|amazing|excellent|good|got it|understood|super|sounds good
well done|yes|no|no worries|no problem|you're welcome|sorry|lol|haha|oh|please|bye|bye bye|goodbye
good bye|see you|see ya|see you later|later|cya|farewell|adios|ciao|sayonara|take care|so long
have a good day|have a nice day|have a good one|have a good weekend|talk to you later|until next time
catch you later|catch you around|i'm out|for now|then|so|and|well|,|.|!|?|-|:|;|)|(|❤|👍|🙏|🙂|👋|🎉
"""
_TALK = frozenset(
    tuple(phrase.split()) for line in _PHRASES.split("\n") for phrase in line.split("|") if phrase
)
_LONGEST_PHRASE = max(map(len, _TALK))
_REPEATS = words_of("then so and well , . ! ? - : ; ) (")

# Questions to the bot about itself. One that also speaks of the workplace (_WORKPLACE) is about the company.
_BOT = r"(?:bot|robot|ai|chatbot|machine|computer|program|human|person)"
_A = r"(?:an? |really |actually |even |just |the )*(?:\w+ )?"
_OWNED = r"(?:pets?|cats?|dogs?|hobby|hobbies|children|family|friends|feelings|employer|another job|boss)"
_PERSONAL = re.compile(
    "|".join(
        (
            rf"\bare you {_A}(?:{_BOT}|real|alive|married|single|happy|sad)\b",
            rf"\b(?:call|consider) you(?:rself)? (?:to be )?(?:an? )?{_BOT}\b",
            rf"\b(?:am i|is this) {_A}(?:(?:talking|speaking|chatting) (?:to |with ))?(?:an? )?{_BOT}\b",
            rf"^you(?:'re| are) (?:an? )?{_BOT}\b",
            r"\bwho (?:\w+ )?(?:made|built|created|designed|programmed|developed|invented|formed|coded|owns"
            r"|trained) (?:you|ai|this bot|thou)\b",
            r"\byour (?:creators?|makers?|inventors?|designers?|developers?|owner|brand)\b",
            r"\bcreators? of your\b",
            r"\bhow old are you\b|\bwhat(?:'s| is) your age\b",
            r"\byour (?:birthdays?|birthplace|date of birth)\b",
            r"\bwere you (?:born|made|created|built)\b|\byou were born\b",
            r"\bhow (?:long|many \w+) have you been\b",
            r"\bwhere (?:are|were|did|do) you (?:\w+ )?(?:from|born|come|live|grow up|reside)\b",
            r"\bwhere you (?:come|are|were) (?:from|born)\b|\bare you (?:originally )?from\b",
            r"\byour (?:country of )?origin\b|\bcountry were you\b",
            rf"\b(?:do you|have you|if you) (?:\w+ ){{0,4}}?{_OWNED}\b",
            rf"\b{_OWNED} (?:do |that )?you (?:have|own|keep|enjoy)\b",
            r"\byour (?:pets?|hobbies|hobby|spare time|free time|boss|employer)\b",
            r"\byou (?:like to )?do (?:for fun|in your|when you(?:'re| are| have) )",
            r"\bwhat(?:'s| is) your (?:\w+ )?name\b|\b(?:know|tell me|say|have) your (?:\w+ )?name\b",
            r"\bname do you\b|\bname i should (?:use|call)\b|\bwhat (?:should|can|do|may) i call you\b",
            r"\bwho (?:do|are) you (?:\w+ )?(?:work|working|function)\b|\bare you working for\b",
            r"\byou (?:currently )?work for\b",
            r"\b(?:tell|read|hear|listen|know)\b.*\b(?:jokes?|trivia|fun facts?)\b",
            r"\b(?:tell|hear|know)\b.*\bsomething (?:funny|interesting)\b",
            r"\b(?:fun fact|jokes|piece of trivia|a joke|some trivia)\b",
            r"\b(?:meaning|purpose|point) (?:of|to) (?:life|existence)\b|\blife's (?:meaning|purpose)\b",
        )
    )
)
_WORKPLACE = re.compile(
    r"\b(?:polic(?:y|ies)|rules?|handbook|office|leave|holidays?|company|companies|allowed|bring|expenses?"
    r"|claim|customers?|suppliers?|contractors?|budget|access|days|approv\w*|refunds?|orders?|invoices?"
    r"|training|insurance|salary)\b"
)

_HELP = re.compile(
    "|".join(
        (
            r"(?:please )?help(?: me)?(?: please)?|i need help|commands?|usage|instructions|what now|start",
            r"(?:(?:so|and|hi|hello|hey|,) )*(?:what|which) (?:\w+ ){0,3}?(?:can|could|do) "
            r"(?:you|this bot|countersign) (?:actually )?(?:do|help|offer|know|answer)"
            r"(?: (?:for|about|with|all|me|something|anything|here|us)){0,4}",
            r"(?:what|which) (?:\w+ ){0,3}?(?:are you|you are) (?:able|capable|good|familiar) "
            r"\w+(?: \w+)?(?: for me)?",
            r"what (?:can|may|should|could) i (?:ask|use|do with)(?: (?:you|this bot|countersign))?"
            r"(?: (?:for|about|with|all|to do)){0,3}",
            r"how (?:do|does|can) (?:i use )?(?:you|this|this bot|countersign)(?: work)?",
            r"who are you|what are you|what is countersign|what is this(?: bot)?|what do you do(?: here)?",
        )
    )
)

_REAL = r"(?:live|real|actual|human|service|support|customer)"
_AGENT = r"(?:humans?|agents?|operators?|representatives?|reps?|advisors?)"
_PERSON = (
    r"(?:(?:a|an|the|some|any|your|one of your|damn|bloody|fucking) )*"
    rf"(?:{_REAL} )*(?:{_AGENT}|persons?|people|someone|somebody|assistants?|staff member|colleague"
    r"|(?:customer )?(?:service|support|assistance|care)|support team|help ?desk)\b"
)
_TOUCH = (
    r"(?:talk|talking|speak|speaking|chat|chatting|contact|contacting|reach|connect|connected"
    r"|connecting|transfer|transferred|escalate|put|direct|hand|handed|in touch|pass|(?<!you )call|calling)"
)
_HAND_OVER = re.compile(
    rf"\b{_TOUCH} (?:(?:me|us|this|over|through|on|it) )*(?:(?:to|with|at) )*{_PERSON}"
    rf"|\b(?:want|need|like|get|give|find|send) (?:me )?(?:(?:a|an|the|some) )?"
    rf"(?:{_REAL} )*(?:{_AGENT}|person)(?: (?:now|please|instead|asap))*$"
    rf"|^(?:(?:a|please) )?(?:{_REAL} )*(?:{_AGENT}|real person|handoff|hand ?over)(?: (?:please|now))*$"
    r"|^(?:customer|human) (?:service|support|assistance)$"
)
_REFUSED = re.compile(
    r"\b(?:don't|dont|do not|not|never|no need|without) (?:want|need|have|talking|to|speaking)\b"
)
_UNAWARE = re.compile(r"\b(?:don't|dont|do not) know\b[^.?!]*")
_CUSTOMERS = re.compile(
    r"\b(?:a|the|our|my|any) (?:customer|client|supplier)s?\b(?! (?:service|support|assistance|care))"
    r"|\b(?:customers|clients|suppliers)\b"
)


def is_help(said: str) -> bool:
    """Whether the person asks what the bot can do."""
    return _HELP.fullmatch(said) is not None


def is_small_talk(words: Sequence[str], said: str) -> bool:
    """Whether it is greetings, thanks and farewells, or about the bot itself."""
    return _is_only_phrases(words) or (_PERSONAL.search(said) is not None and _WORKPLACE.search(said) is None)


def is_hand_over(said: str) -> bool:
    """Whether the person wants to speak to a human being."""
    wanted = _HAND_OVER.search(said) is not None
    return wanted and not _REFUSED.search(_UNAWARE.sub("", said)) and not _CUSTOMERS.search(said)


def _is_only_phrases(words: Sequence[str]) -> bool:
    at = 0
    while at < len(words):
        longest = min(_LONGEST_PHRASE, len(words) - at)
        length = next((size for size in range(longest, 0, -1) if tuple(words[at : at + size]) in _TALK), 0)
        if length == 0:
            return False
        at += length
    return not all(word in _REPEATS for word in words)
