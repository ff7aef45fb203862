"""Random states, and random small and large edits of them."""

import copy
import random

ALIKE = dict(zip("aeopcxi-", "\u0430\u0435\u043e\u0440\u0441\u0445\u0456\u2013", strict=True))
INVISIBLE = "\u200b\u200d\u2060\u00ad\ufe0f\u3164\u2800\u034f\u115f\u202e\u2066\0\x7f\x1b"
SPACES = ["  ", "  ", "  ", "   ", "\t", "\n", "\u00a0", "\u2009", "\u3000", " \n "]
WORDS = [*["tide", "moon", "in-line", "quarters", "spring", "neap", "the", "of", "and", "because", "12", "3.5"]]
WORDS += ["潮汐", "прилив", "المد", "caf\u00e9", '"quoted"', "a\\b", "<b>", "&amp;"]
NAMES = ["answer", "attempts", "student_answers", "a.b", "", " ", "x[0]", "seed", "done", "notes", '"', "i4x_1_2_1"]


def pair(chance: random.Random) -> tuple[dict, dict]:
    """Return two states: with one edit of a text, or any states with one to four edits."""
    older = state(chance)
    if chance.random() < 0.6:
        return older, edited(chance, older)
    prose = " ".join(chance.choices(WORDS, k=chance.choice([1, 2, 5, 250, 800])))
    edit = chance.choice(TEXT_EDITS)
    return older | {"a": prose}, older | {"a": edit(chance, prose, chance.randint(0, len(prose)))}


def state(chance: random.Random) -> dict:
    return {name: value(chance, 3) for name in chance.sample(NAMES, chance.randint(1, 8))}


def value(chance: random.Random, depth: int):
    kind = chance.randint(0, 9 if depth else 7)
    if kind == 8:
        return [value(chance, depth - 1) for _ in range(chance.randint(0, 6))]
    if kind == 9:
        return {name: value(chance, depth - 1) for name in chance.sample(NAMES, chance.randint(0, 5))}
    if kind >= 4:
        return text(chance)
    return chance.choice([0, 1, 2, -1, 1.0, 0.5, True, False, None, "", "1", 10**30, 123456789])


def text(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.choice([1, 1, 2, 5, 30, 250, 800]))
    return chance.choice([" ", " ", " ", "", "\n"]).join(words)


def edited(chance: random.Random, older: dict) -> dict:
    """Return a copy with one to four edits. An edit may have no effect."""
    newer = copy.deepcopy(older)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        containers = [found for found in _containers(newer) if found]
        if containers:
            holder = chance.choice(containers)
            step = chance.choice([*holder]) if isinstance(holder, dict) else chance.randrange(len(holder))
            chance.choice(EDITS)(chance, holder, step)
    return newer


def _containers(found) -> list:
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    own = [found] if isinstance(found, (dict, list)) else []
    return own + [container for one in inner for container in _containers(one)]


def replace(chance, holder, step):
    holder[step] = value(chance, 1)


def remove(chance, holder, step):
    del holder[step]


def add(chance, holder, step):
    if isinstance(holder, list):
        holder.insert(step, value(chance, 1))
    else:
        holder[f"new{chance.randint(0, 9)}"] = value(chance, 1)


def change_type(chance, holder, step):
    old = holder[step]
    holder[step] = chance.choice([None, "", [], {}, [old], {"": old}, str(old), True, 1, 1.0, "1", 0, -0.0, 0.0, False])


def reorder(chance, holder, step):
    if isinstance(holder, list):
        chance.shuffle(holder)
    else:
        holder[step] = holder.pop(step)


def rename(chance, holder, step):
    if isinstance(holder, dict):
        name = alike(step) if chance.random() < 0.5 else f"{step} "
        holder[name] = holder.pop(step)


def edit_text(chance, holder, step):
    """Change one place, or several places, of a text; or a digit of a number."""
    old = holder[step]
    if isinstance(old, bool) or not isinstance(old, (str, int)):
        return replace(chance, holder, step)
    new = str(old)
    for _ in range(chance.choice([1, 1, 1, 3, 40])):
        new = chance.choice(TEXT_EDITS)(chance, new, chance.randint(0, len(new)))
    holder[step] = new if isinstance(old, str) else int(new) if new.lstrip("-").isdecimal() else new


def replace_character(chance, old, at):
    return old[:at] + chance.choice("Xx01") + old[at + 1 :]


def remove_characters(chance, old, at):
    return old[:at] + old[at + chance.choice([1, 2, 40]) :]


def insert_invisible(chance, old, at):
    return old[:at] + chance.choice(INVISIBLE) + old[at:]


def change_spaces(chance, old, at):
    before, space, after = old[:at].rpartition(" ")
    return before + chance.choice(SPACES) + after + old[at:] if space else f"{old} "


def change_case(chance, old, at):
    return old[:at] + old[at : at + 1].swapcase() + old[at + 1 :]


def replace_alike(chance, old, at):
    return old[:at] + alike(old[at : at + 1]) + old[at + 1 :]


def alike(old):
    return "".join(ALIKE.get(character, character) for character in old)


EDITS = [replace, remove, add, change_type, change_type, reorder, rename, *[edit_text] * 6]
TEXT_EDITS = [replace_character, remove_characters, insert_invisible, change_spaces, change_case, replace_alike]
