"""The images of servers of the fake Nova: one status a look, as the test scripts them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from tests.steps.fake_records import Guest, request

from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.server_image import ImageState


@dataclass
class FakeImage:
    """An image: the statuses that it still gets, the last one for good; ``gone``: Nova deletes it."""

    id: str
    tag: str
    script: list[str]

    def look(self) -> str:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class FakeImages:
    """The part of ``FakeCloud`` that has images taken."""

    guests: dict[str, Guest]
    images: dict[str, list[FakeImage]]
    image_script: tuple[str, ...]

    def _wrote(self, verb: str, subject: str, detail: str, found: str | None = None) -> None:
        raise NotImplementedError

    @property
    def server_images(self) -> FakeImages:
        """Return what has images taken."""
        return self

    @request
    def order(self, server_id: str, *, name: str, tag: str) -> None:
        guest = self.guests.get(server_id)
        if guest is None:
            raise NotFoundError(f"HTTP 404: server {server_id}")
        if guest.task_state is not None:
            raise ConflictError(f"HTTP 409: server {server_id} is {guest.task_state}")
        self._wrote("image", server_id, name)
        image = FakeImage(id=f"image-{len(list(chain(*self.images.values())))}", tag=tag, script=[])
        image.script.extend(self.image_script)
        self.images.setdefault(server_id, []).append(image)

    @request
    def find(self, server_id: str, *, tag: str) -> ImageState | None:
        own = [image for image in self.images.get(server_id, ()) if image.tag == tag]
        for image in own[-1:]:
            status = image.look()
            return None if status == "gone" else ImageState(id=image.id, status=status, size_bytes=7)
        return None
