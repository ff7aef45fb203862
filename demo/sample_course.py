"""The course that the demo shows: a short unit on tides."""

from demo.course import AuthoredBlock, Course

TOUR = AuthoredBlock(
    "tour",
    "welcome",
    {
        "display_name": "Welcome aboard",
        "steps": [
            "Everything you do here is kept as you do it. There is no save button.",
            "Problems take a limited number of attempts. Your score is at the top of the page.",
            "Leave whenever you like: your work will be here when you return.",
        ],
    },
)
READING = AuthoredBlock(
    "reading",
    "why-the-sea-rises",
    {
        "display_name": "Why the sea rises twice a day",
        "paragraphs": [
            "Stand on almost any harbour wall for a day and you will see the water come in, go out, come in "
            "and go out again. The Moon is the main reason. Its pull is a little stronger on the side of the "
            "Earth that faces it, and a little weaker on the side that faces away.",
            "That difference stretches the ocean into two bulges: one towards the Moon, and one on the far "
            "side. As the Earth turns beneath them, most coasts pass through both bulges in just under "
            "twenty-five hours, and so meet two high tides.",
            "The Sun does the same with less than half the effect. When Sun, Moon and Earth stand in line, "
            "at new and full moon, the two effects add up to spring tides. At the quarters they partly "
            "cancel, which gives the smaller neap tides.",
        ],
    },
)
TWO_TIDES = AuthoredBlock(
    "problem",
    "two-high-tides",
    {
        "display_name": "Two high tides",
        "max_attempts": 2,
        "question": "Why do most coasts have two high tides in about a day?",
        "choices": [
            {"id": "sun", "text": "The Moon raises one and the Sun raises the other"},
            {"id": "bulges", "text": "The Earth turns through a bulge on either side of it"},
            {"id": "orbit", "text": "The Moon goes round the Earth twice a day"},
            {"id": "wind", "text": "Land and sea breezes change direction twice a day"},
        ],
        "solution": "bulges",
        "explanation": "The Moon stretches the ocean on the near side and the far side. A coast is carried "
        "through both bulges as the Earth turns.",
    },
)
SPRING_TIDES = AuthoredBlock(
    "problem",
    "spring-tides",
    {
        "display_name": "The highest tides",
        "max_attempts": 3,
        "weight": 2,
        "question": "On which nights is the difference between high and low water greatest?",
        "choices": [
            {"id": "quarters", "text": "Around the first and last quarter"},
            {"id": "full-only", "text": "Around full moon only"},
            {"id": "in-line", "text": "Around new and full moon"},
            {"id": "midsummer", "text": "Around midsummer, whatever the Moon does"},
        ],
        "solution": "in-line",
        "hint": "Think of the nights on which the Sun and the Moon pull along one line.",
        "explanation": "At new and at full moon, Sun, Moon and Earth stand in line, so both pull along the "
        "same axis and their effects add up.",
    },
)
POLL = AuthoredBlock(
    "poll_question",
    "where-you-watched",
    {
        "display_name": "You and the sea",
        "question": "Where have you watched the tide come in?",
        "choices": [
            {"id": "beach", "text": "On a beach"},
            {"id": "harbour", "text": "In a harbour"},
            {"id": "estuary", "text": "At a river mouth or on mudflats"},
            {"id": "never", "text": "Nowhere yet"},
        ],
    },
)
SAMPLE_COURSE = Course(
    "course-v1:Harbour+TIDE101+2026",
    AuthoredBlock(
        "course",
        "course",
        {"display_name": "Tides: how the sea keeps time"},
        children=(
            TOUR,
            AuthoredBlock(
                "section",
                "read",
                {"display_name": "Read", "summary": "Three paragraphs, about two minutes."},
                children=(READING,),
            ),
            AuthoredBlock(
                "section",
                "practise",
                {"display_name": "Practise", "summary": "Two questions on what you have read."},
                children=(TWO_TIDES, SPRING_TIDES),
            ),
            AuthoredBlock(
                "section",
                "compare",
                {"display_name": "Compare", "summary": "See how the class answered once you have."},
                children=(POLL,),
            ),
        ),
    ),
)
