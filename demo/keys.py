"""Ids from opaque keys alone. A usage key contains everything, so nothing is stored."""

from opaque_keys.edx.asides import AsideUsageKeyV2
from opaque_keys.edx.keys import UsageKey
from xblock.runtime import IdGenerator, IdReader


class OpaqueKeys(IdReader, IdGenerator):
    """Read and create ids. A block's definition is its usage, because this host never uses a block twice."""

    def get_definition_id(self, usage_id: UsageKey) -> UsageKey:
        """Return the usage key itself."""
        return usage_id

    def get_block_type(self, def_id: UsageKey) -> str:
        """Return the type of a block, or of an aside when the key is an aside's."""
        if isinstance(def_id, AsideUsageKeyV2):
            return str(def_id.aside_type)
        return str(def_id.block_type)

    def get_usage_id_from_aside(self, aside_id: AsideUsageKeyV2) -> UsageKey:
        """Return the key of the block that the aside decorates."""
        decorated: UsageKey = aside_id.usage_key
        return decorated

    def get_definition_id_from_aside(self, aside_id: AsideUsageKeyV2) -> UsageKey:
        """Return the key of the block that the aside decorates."""
        return self.get_usage_id_from_aside(aside_id)

    def get_aside_type_from_usage(self, aside_id: AsideUsageKeyV2) -> str:
        """Return the aside's type."""
        return str(aside_id.aside_type)

    def get_aside_type_from_definition(self, aside_id: AsideUsageKeyV2) -> str:
        """Return the aside's type."""
        return str(aside_id.aside_type)

    def create_aside(
        self, definition_id: UsageKey, usage_id: UsageKey, aside_type: str
    ) -> tuple[AsideUsageKeyV2, AsideUsageKeyV2]:
        """Return the aside's definition and usage, which are one key."""
        # Its abstract attributes are slots, which the type checker does not see.
        aside_key = AsideUsageKeyV2(usage_id, aside_type)  # type: ignore[abstract,no-untyped-call]
        return aside_key, aside_key

    def create_usage(self, def_id: UsageKey) -> UsageKey:
        """Refuse: blocks come from a course, which defines their keys."""
        raise NotImplementedError("Blocks are authored in a course, not created at run time.")

    def create_definition(self, block_type: str, slug: str | None = None) -> UsageKey:
        """Refuse, as ``create_usage`` does."""
        raise NotImplementedError("Blocks are authored in a course, not created at run time.")
