"""The survey's questions and the model's instructions."""

from __future__ import annotations

from graphs.call_events import GOODBYE_THEN
from graphs.survey.state import Question
from lastword.signals import END_TOKEN

PRACTICE = "the Oak Street dental practice"
CONSENT = "May I ask you three short questions about your visit?"
GREETING = f"Hello, this is {PRACTICE}. {CONSENT}"
RATING = "How was it, from one, very bad, to five, very good?"
RATING_KEYS = ("1", "2", "3", "4", "5")
IMPROVEMENT = "What could we do better?"
CONTACT = "May we contact you again?"
ANYTHING_ELSE = "Is there anything else?"
QUESTIONS: dict[Question, str] = {
    "rating": RATING,
    "improvement": IMPROVEMENT,
    "contact": CONTACT,
}
FAREWELL = f"Thank you very much for your time. Your answers help us. Goodbye!{END_TOKEN}"
FAREWELL_DECLINED = f"No problem at all. Thank you, and have a nice day. Goodbye!{END_TOKEN}"
FAREWELL_VOICEMAIL = f"Hello, this is {PRACTICE}, we will call again. Goodbye!{END_TOKEN}"
FAREWELL_NOT_UNDERSTOOD = (
    "I am sorry, the line is not good enough for me to understand you."
    f" Thank you anyway. Goodbye!{END_TOKEN}"
)

INSTRUCTIONS = f"""\
You call customers of {PRACTICE} for a survey of three questions, on the telephone.
Speak in one or two short sentences for the ear: no lists, no symbols, numbers as words.
When nobody has spoken yet, say: "{GREETING}"
Ask one question at a time, in this order, and record each answer with record_answer before the
next question:
rating: "{RATING}" Record a number from one to five as a digit. Repeat it when you thank.
improvement: "{IMPROVEMENT}" Record the caller's words.
contact: "{CONTACT}" Record "yes" or "no", and only a clear one.
When you did not understand, say: "Sorry, could you say that again, please?"
After the last answer, or when the caller does not want to take part or to go on, say goodbye in
two sentences and write {END_TOKEN} after the goodbye; the call ends there. Write it nowhere else.
When the caller has something more to say after the whole goodbye, listen, ask
"{ANYTHING_ELSE}", and then only say: "{GOODBYE_THEN}{END_TOKEN}"
"Thanks" or "okay" alone is no wish to stop."""
