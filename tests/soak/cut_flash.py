# SPDX-License-Identifier: MIT
"""A flash that notes what is done to it, so that one run shows what each power cut would leave."""

from collections.abc import Callable, Container, Iterator

from simulator.world.flash import BLOCK_BYTES, Flash, PowerCut

TORN_HERE = ("none", "half")  # "all" leaves what the next operation finds: "none" of that one


class ImageFlash(Flash):
    """A flash in RAM that begins with `image`."""

    def __init__(self, image: bytes):
        super().__init__(blocks=len(image) // BLOCK_BYTES)
        self._memory[:] = image

    def image(self) -> bytes:
        return bytes(self._memory)


class NotingFlash(ImageFlash):
    """knows(): what holds at this moment; it is noted with each operation."""

    def __init__(self, image: bytes, knows: Callable[[], tuple]):
        super().__init__(image)
        self.begin = bytes(image)
        self.noted = []  # (method, place, data or None, what held then)
        self.knows = knows

    def program(self, at: int, data):
        self.noted.append(("program", at, bytes(data), self.knows()))
        super().program(at, data)

    def erase(self, block: int):
        self.noted.append(("erase", block, None, self.knows()))
        super().erase(block)


def _do(flash: Flash, method: str, place: int, data: bytes | None):
    if data is None:
        getattr(flash, method)(place)
    else:
        getattr(flash, method)(place, data)


def cuts(noting: NotingFlash, at: Container) -> Iterator[tuple[int, str, ImageFlash, tuple]]:
    """(operation, torn, what is left, what held) for each operation whose index is in `at`, and
    for the moment after the last one."""
    flash = ImageFlash(noting.begin)
    for index, (method, place, data, held) in enumerate(noting.noted):
        if index in at:
            for torn in TORN_HERE:
                left = ImageFlash(flash._memory)
                left.cut(1, torn)
                try:
                    _do(left, method, place, data)
                except PowerCut:
                    yield index, torn, ImageFlash(left._memory), held
        _do(flash, method, place, data)
    if len(noting.noted) in at:
        yield len(noting.noted), "all", ImageFlash(flash._memory), noting.knows()
