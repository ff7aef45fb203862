"""Courses made of published blocks, to test that third-party blocks run on this host."""

from demo.course import AuthoredBlock, Course

ACID = Course(
    "course-v1:Conformance+ACID+2026",
    AuthoredBlock(
        "acid_parent",
        "parent",
        {"name": "parent"},
        children=(
            AuthoredBlock("acid", "left", {"name": "left"}),
            AuthoredBlock("acid", "right", {"name": "right"}),
        ),
    ),
    aside_types=("acid_aside",),
)
POLL = Course(
    "course-v1:Conformance+POLL+2026",
    AuthoredBlock(
        "poll",
        "poll",
        {
            "display_name": "Poll",
            "question": "Which tide would you rather walk in?",
            "answers": [
                ["low", {"label": "Low water", "img": "", "img_alt": ""}],
                ["high", {"label": "High water", "img": "", "img_alt": ""}],
            ],
            "feedback": "Mind the mud.",
        },
    ),
)
CONFORMANCE_COURSES = {"acid": ACID, "poll": POLL}
