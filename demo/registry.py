"""The class of each block type: the sample blocks first, then installed packages."""

from xblock.core import XBlock, XBlockAside
from xblock.plugin import PluginMissingError

from demo.blocks.outline import CourseBlock, SectionBlock
from demo.blocks.poll_question import PollQuestionBlock
from demo.blocks.problem import ProblemBlock
from demo.blocks.reading import ReadingBlock
from demo.blocks.tour import TourBlock

SAMPLE_BLOCKS: dict[str, type[XBlock]] = {
    "course": CourseBlock,
    "section": SectionBlock,
    "problem": ProblemBlock,
    "poll_question": PollQuestionBlock,
    "reading": ReadingBlock,
    "tour": TourBlock,
}


def load_block_class(block_type: str) -> type[XBlock]:
    """Return the class of a block type, or raise PluginMissingError."""
    return SAMPLE_BLOCKS.get(block_type) or XBlock.load_class(block_type)


def load_class(family: str, block_type: str) -> type[XBlock] | type[XBlockAside]:
    """Return the class of a block or aside type by its family's name, or raise PluginMissingError."""
    if family == XBlock.entry_point:
        return load_block_class(block_type)
    if family != XBlockAside.entry_point:
        raise PluginMissingError(family)
    aside_class: type[XBlockAside] = XBlockAside.load_class(block_type)
    return aside_class


def is_installed(block_type: str) -> bool:
    """Return whether this host can run blocks of a type."""
    try:
        load_block_class(block_type)
    except PluginMissingError:
        return False
    return True
