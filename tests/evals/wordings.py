"""Sentences of the demo's handbook, each in other words that a faithful writer chose freely.

They were written without regard to what the verifier takes, so that the share it keeps is a fair one.
"""

FAITHFUL: tuple[tuple[str, str], ...] = (
    (
        "A holiday that falls on a weekend is moved to the next working day in Halifax.",
        "In Halifax, a holiday that falls on a weekend is moved to the next working day.",
    ),
    (
        "A holiday that falls on a weekend is not replaced in Utrecht.",
        "A holiday that falls on a weekend isn't replaced in Utrecht.",
    ),
    (
        "Parcels without a return number are held for 30 days while we look for the sender.",
        "Parcels without a return number are held for thirty days while we look for the sender.",
    ),
    ("You can carry up to 5 days into the next year.", "You may carry up to five days into the next year."),
    (
        "They must be used by 31 March, and lapse after that.",
        "They have to be used by 31 March and lapse after that.",
    ),
    (
        "Nobody approves their own claim, or one from which they benefited.",
        "Nobody approves their own claim or one from which they benefited.",
    ),
    ("Report within one hour of noticing.", "Report it within one hour of noticing."),
    (
        "Do not investigate by yourself, do not delete anything, and do not switch the device off.",
        "Don't investigate by yourself, don't delete anything and don't switch the device off.",
    ),
    (
        "Nothing is started without your consent, unless somebody is in danger.",
        "Unless somebody is in danger, nothing is started without your consent.",
    ),
    (
        "Ask the safety officer for a check of your workplace; it happens within two weeks.",
        "Ask the safety officer for a check of your workplace; it takes place within 2 weeks.",
    ),
    (
        "Unpaid leave of up to three months is possible once every five years.",
        "Unpaid leave of up to 3 months is possible once every 5 years.",
    ),
    ("Ask your manager four months ahead.", "You should ask your manager four months ahead."),
    (
        "Nobody is on call for two weeks in a row, or for more than 13 weeks a year.",
        "Nobody is on call for two weeks in a row or for more than 13 weeks a year.",
    ),
    (
        "If a trip would strain your own account, ask finance for an advance one week ahead.",
        "Ask finance for an advance one week ahead if a trip would strain your own account.",
    ),
    ("It is settled within 30 days of the return.", "It's settled within 30 days of the return."),
    ("Nobody works more than 10 hours a day.", "Nobody works more than ten hours per day."),
    (
        "Between two working days there are at least 11 hours of rest.",
        "There are at least 11 hours of rest between two working days.",
    ),
    (
        "Lifting above 25 kg is done by two people or with the crane.",
        "Lifting above 25 kg is done by two people, or with the crane.",
    ),
    ("Finance checks one claim in twenty in detail.", "Finance checks 1 claim in 20 in detail."),
    (
        "Private parcels may be received at the office, and not sent through the company account.",
        "Private parcels may be received at the office, but not sent through the company account.",
    ),
    (
        "If you come in on fewer than two days a week, single tickets are paid instead of a season ticket.",
        "Single tickets are paid instead of a season ticket if you come in on fewer than two days a week.",
    ),
    (
        "Both offices are closed on the working days from 27 to 31 December.",
        "Both offices are closed on the working days from 27 to 31 December.",
    ),
    (
        "These days are paid and are not deducted from leave.",
        "These days are paid and aren't deducted from leave.",
    ),
    ("Calibration records belong to the customer.", "Calibration records belong to the customer."),
    (
        "They are confidential, and are never used in marketing, training or presentations.",
        "They're confidential and are never used in marketing, training, or presentations.",
    ),
    (
        "Overtime is the exception, and is agreed with your manager beforehand.",
        "Overtime is the exception and must be agreed with your manager beforehand.",
    ),
    ("It is given back as time off, hour for hour.", "It's given back as time off, hour for hour."),
    (
        "Claims are paid every Friday, at the latest ten days after approval, to your salary account.",
        "Claims are paid to your salary account every Friday, at the latest ten days after approval.",
    ),
    (
        "Orders that are complete by 14:00 local time leave on the same day.",
        "Orders complete by 14:00 local time leave the same day.",
    ),
    (
        "Parking is free and limited: 40 places in Utrecht, 35 in Halifax, first come, first served.",
        "Parking is free and limited: 40 places in Utrecht and 35 in Halifax, first come, first served.",
    ),
    ("Visitors get shoes, vest and a host.", "Visitors receive shoes, a vest and a host."),
    ("Please do not send receipts by chat.", "Don't send receipts by chat."),
    (
        "Report every accident and every near miss within 24 hours in the safety form on the intranet.",
        "Report every accident and every near miss in the safety form on the intranet within 24 hours.",
    ),
    (
        "A certificate is signed by whoever did the measurement.",
        "A certificate is signed by whoever did the measurement.",
    ),
    (
        "If an office is above 28 °C or below 18 °C, people may work at home that day.",
        "You may work at home that day if the office is above 28 °C or below 18 °C.",
    ),
    (
        "Plan at least one break of two weeks in a row each year.",
        "Plan at least one break of 2 weeks in a row every year.",
    ),
    (
        "Each day costs one day's pay, spread over twelve months.",
        "Every day costs one day's pay, spread over 12 months.",
    ),
    ("Rest is part of the work.", "Rest is part of the work."),
    ("Everybody may stop work that looks dangerous.", "You may stop work that looks dangerous."),
    (
        "You do not need to be sure, and you will not be blamed for a false alarm.",
        "You don't have to be sure, and you won't be blamed for a false alarm.",
    ),
)
