"""What may be said in other words, and what may not: sentences of a policy and ways of saying them."""

import pytest

from knowledge.verifier import is_plain, statements, supported

LEAVE = "All employees receive 25 days of paid leave per year."
BOOKING = "The forward booking of time is strictly prohibited, except for when a Team Member is taking leave."
APPROVER = (
    "If you are out on leave during a closing day, you should notify the Approver in advance, "
    "to ensure timesheet approvals are completed on time."
)
MEALS = "Meals are reimbursed up to $50 per day."
TABLE = "Expense | Limit | Receipt\nMeals | $50 per day | required over $20"
REPORT = "You don't have to file a report."
EITHER = "You must notify HR, your manager, or Legal."
SIGNS = "Employees must tell HR when they move, and managers must sign."
DEADLINE = "Requests must be made by May 5, 2024."
LOCK = "A laptop must be locked before you leave, even if nobody is near."
EXAMPLES = "Forwarding of paid time off (PTO) mail to an outside account (e.g. a private one) is prohibited."

SAME = [
    (LEAVE, "You get 25 days of paid leave a year."),
    (LEAVE, "You receive twenty-five days of paid leave every year."),
    (BOOKING, "Forward booking of time is prohibited unless you're taking leave."),
    (BOOKING, "Unless you are taking leave, forward booking of time is strictly prohibited."),
    (APPROVER, "You should tell the Approver in advance if you're out on leave during a closing day."),
    (APPROVER, "If you are out on leave during a closing day, you should notify the Approver in advance."),
    (MEALS, "Meals are reimbursed at most 50 dollars a day."),
    (TABLE, "The limit for meals is $50 a day."),
    (TABLE, "The receipt for meals is required over $20."),
    (REPORT, "You do not need to file a report."),
    (EITHER, "You must notify HR, your manager or Legal."),
    (SIGNS, "You must inform HR when you move and managers must sign."),
    (DEADLINE, "Requests must be made by May 5, 2024."),
    (LOCK, "A laptop must be locked before you leave, even if nobody is near."),
    (EXAMPLES, "Forwarding of paid time off mail to an outside account is prohibited."),
    ("Employees may not travel free.", "You may not travel free."),
    ("An employee must ask their manager.", "You must ask your manager."),
    ("The fee can be waived.", "The fee may be waived."),
    ("Contact IT before you leave.", "Before you leave, get in touch with IT."),
    ("Receipts are not required below 25 €.", "Receipts aren't required below 25 €."),
]
OTHER = [
    # numbers, units, amounts, dates
    (LEAVE, "You get 26 days of paid leave a year."),
    (LEAVE, "You get 25 weeks of paid leave a year."),
    (LEAVE, "You get 25 days of paid leave."),
    (MEALS, "Meals are reimbursed up to $500 per day."),
    (MEALS, "Meals are reimbursed up to €50 per day."),
    (MEALS, "Meals are reimbursed at least $50 per day."),
    (MEALS, "Meals are reimbursed up to $50 per week."),
    (DEADLINE, "Requests must be made by May 6, 2024."),
    (DEADLINE, "Requests must be made by June 5, 2024."),
    (DEADLINE, "Requests must be made after May 5, 2024."),
    (TABLE, "The limit for meals is $20."),
    (TABLE, "The limit for meals is $50."),
    (TABLE, "The receipt for meals is $50 a day."),
    # negation and modality
    (MEALS, "Meals are not reimbursed up to $50 per day."),
    (BOOKING, "Forward booking of time is allowed unless you are taking leave."),
    (BOOKING, "Forward booking of time is not prohibited unless you are taking leave."),
    (APPROVER, "You must notify the Approver in advance if you're out on leave during a closing day."),
    (REPORT, "You must not file a report."),
    (REPORT, "You need to file a report."),
    ("Employees may not travel free.", "You may travel free."),
    ("Employees may not travel free.", "Employees may not. Travel is free."),
    ("Employees may not travel free.", "Employees may not, travel is free."),
    ("No managers approve overtime.", "No, managers approve overtime."),
    ("Refunds may not arrive in time.", "Refunds must not arrive in time."),
    # conditions, choices and qualifiers
    (BOOKING, "Forward booking of time is prohibited."),
    (APPROVER, "You should notify the Approver in advance."),
    (LEAVE, "You get 25 days of leave a year."),
    (EITHER, "You must notify HR."),
    (EITHER, "You must notify HR, your manager, and Legal."),
    ("Full-time employees get a laptop.", "You get a laptop."),
    ("Employees (EU) get a laptop.", "Employees get a laptop."),
    ("Employees who travel get a card.", "Employees, who travel, get a card."),
    ("You get a card only if you travel.", "You get a card if you travel."),
    ("You get $50, and you must report if you travel.", "If you travel, you get $50, and you must report."),
    ("You may not travel because you are ill.", "You may not travel."),
    ("Report incidents, such as theft, fire.", "Report incidents, fire."),
    ("You specify which hours you work.", "Do you specify which hours you work."),
    # who does what, and names
    ("Employees are notified by managers.", "Employees notify managers."),
    ("Managers must tell employees.", "Employees must tell managers."),
    ("Employees must ask managers for their consent.", "You must ask managers for your consent."),
    ("If an employee reports a manager, he or she is heard.", "If you report a manager, you are heard."),
    ("Managers must tell contractors.", "You must tell contractors."),
    ("Employees may book travel.", "Contractors may book travel."),
    ("Ask Grace Hopper.", "Ask Grace Hooper."),
    ("Contact IT before you leave.", "Contact it before you leave."),
    ("Your manager pays for the training.", "Your manager pays for the train."),
    ("For sick leave, 10 days; for annual leave, 20 days.", "10 days for annual leave; 20 for sick leave."),
    ("If sick, 10 days, if on leave, 20 days.", "10 days, if on leave, 20 days, if sick."),
    # something more
    (LEAVE, "You get 25 days of paid leave per year and a bonus."),
    (LEAVE, "All employees receive 25 days of paid leave per year at example.com."),
    (LEAVE, "All employees receive 25 d\u0430ys of paid leave per year."),  # a Cyrillic letter
    (LEAVE, "All employees receive \u0662\u0665 days of paid leave per year."),  # Arabic figures
    (LEAVE, "All employees\u200b receive 25 days of paid leave per year."),
    (LEAVE, "\u202eAll employees receive 25 days of paid leave per year."),
    (LEAVE, "@here All employees receive 25 days of paid leave per year."),
    (LEAVE, "All employees receive 25 days of paid leave per year \U0001f389."),
    (LEAVE, "All employees receive *25* days of paid leave per year."),
]


def said(sentence: str, passage: str) -> bool:
    return any(supported(sentence, statement) for statement in statements(passage))


@pytest.mark.parametrize(("passage", "sentence"), SAME)
def test_the_same_in_other_words_is_supported(passage: str, sentence: str) -> None:
    assert said(sentence, passage)


@pytest.mark.parametrize(("passage", "sentence"), OTHER)
def test_anything_else_is_not(passage: str, sentence: str) -> None:
    assert not said(sentence, passage)


@pytest.mark.parametrize(("passage", "_"), SAME)
def test_a_sentence_supports_itself(passage: str, _: str) -> None:
    for line in passage.splitlines()[-1:]:
        assert "|" in line or said(line, passage)


@pytest.mark.parametrize(
    "text",
    [
        "See https://evil.example.",
        "See evil.example for more.",
        "Write to a@evil.example.",
        "<!channel> look.",
        "<@U0ADA> knows.",
        "A *bold* word.",
        "A `word`.",
        "One\ntwo.",
        "A\u00adb.",
        "Zal\u0337go.",
    ],
)
def test_addresses_mentions_markup_and_odd_signs_are_not_plain(text: str) -> None:
    assert not is_plain(text)


def test_a_statement_with_a_number_or_a_condition_is_binding() -> None:
    passage = "Leave is a right. It lapses after a year. You may ask. Write to HR."
    assert [statement.binding for statement in statements(passage)] == [False, True, True, False]
