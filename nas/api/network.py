"""network(): a network by name or as it was drawn, to be looked at before anything is trained."""

import html
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from nas.files import write_text
from nas.reporting import network as shown
from nas.subjects import Subject, View, candidate_subject, find_subject, view
from search_space.architecture import Architecture, Candidate
from search_space.cost import Cost, graph_cost
from search_space.graph import Sequence, Shape
from search_space.shapes import last_map, smallest

if TYPE_CHECKING:
    from torch import nn

DEPTH = 2
"""Levels of layers in the text of a network, as of `nas show`."""


@dataclass(frozen=True, repr=False)
class Network:
    """An untrained network: its cost, layers, drawing, source and torch module.

    ``image`` is what it is for: channels, height and width of an image; ``classes`` what it tells
    apart. Each method takes other ones. ``candidate`` is None of AlexNet, VGG-11 and NiN, which
    are no Inception architectures. Methods raise ValueError where the network can't run on images
    of that size.
    """

    subject: Subject

    @property
    def name(self) -> str:
        """What it is called: its name in the catalog, "trial 7", its file, or its key."""
        return self.subject.name

    @property
    def candidate(self) -> Candidate | None:
        """The architecture and its label-smoothing epsilon, what one trial of a study evaluates."""
        return self.subject.candidate

    @property
    def image(self) -> Shape:
        """Channels, height and width of the images that it is for."""
        return self.subject.image

    @property
    def classes(self) -> int:
        """How many classes it tells apart."""
        return self.subject.classes

    def cost(
        self,
        resolution: int | None = None,
        channels: int | None = None,
        classes: int | None = None,
    ) -> Cost:
        """Its exact cost for one image: params, flops (2 x multiply-adds), activation_bytes."""
        at = self._view(resolution, channels, classes)
        return graph_cost(at.graph(self.subject), at.shape)

    def graph(
        self,
        resolution: int | None = None,
        channels: int | None = None,
        classes: int | None = None,
    ) -> Sequence:
        """Its layer graph, from which all else follows."""
        return self._view(resolution, channels, classes).graph(self.subject)

    def module(
        self,
        resolution: int | None = None,
        channels: int | None = None,
        classes: int | None = None,
    ) -> "nn.Module":
        """A new torch module of it, from float images [N, C, H, W] to logits [N, classes].

        It is initialized as for a short run, from torch's random state: ``torch.manual_seed``
        before makes it repeatable.
        """
        from nas.short_run.training import initialize
        from search_space.network import module

        made = module(self.graph(resolution, channels, classes))
        initialize(made)
        return made

    def smallest(self, extent: int = 1, channels: int | None = None) -> int | None:
        """The smallest images, in pixels, that leave its last map at least extent x extent.

        None where none up to 1,024 pixels does.
        """
        at = View(self.image if channels is None else (channels, 1, 1), self.classes)
        return smallest(at.at(self.subject), at.shape[0], extent)

    def last_map(
        self,
        resolution: int | None = None,
        channels: int | None = None,
    ) -> Shape:
        """Channels, height and width of its last map, which the head averages."""
        at = self._view(resolution, channels, None)
        return last_map(at.graph(self.subject), at.shape)

    def svg(
        self,
        path: str | Path | None = None,
        resolution: int | None = None,
        channels: int | None = None,
        classes: int | None = None,
    ) -> str:
        """Its drawing, layer by layer, as an SVG document; written to ``path`` too, if given."""
        drawn = shown.drawing(self.subject, self._view(resolution, channels, classes))
        if path is not None:
            write_text(Path(path), drawn, "drawing")
        return drawn

    def code(
        self,
        resolution: int | None = None,
        channels: int | None = None,
        classes: int | None = None,
    ) -> str:
        """Its source as a plain PyTorch module, which needs nothing of this package."""
        return shown.source_of(self.subject, self._view(resolution, channels, classes))

    def _view(self, resolution: int | None, channels: int | None, classes: int | None) -> View:
        return view([self.subject], resolution, channels, classes)

    def __str__(self) -> str:
        return "\n".join(shown.words(self.subject, self._view(None, None, None), DEPTH))

    def __repr__(self) -> str:
        total = self.cost()
        return (
            f"<Network {self.name}: {'x'.join(map(str, self.image))} images, {self.classes} "
            f"classes, {total.params:,} parameters, {total.flops:,} FLOPs>"
        )

    def _repr_html_(self) -> str:
        """Its drawing, in a notebook."""
        return f"<p>{html.escape(repr(self)[1:-1])}</p>\n{self.svg()}"


Named = Network | Candidate | Architecture | str | int | Path
"""What stands for a network wherever one is asked for."""


def network(
    of: Named,
    *,
    name: str | None = None,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
) -> Network:
    """The network that ``of`` means, under a ``name`` of its own if one is given.

    A name of the catalog, the number of a trial, "best" or the path of a JSON file, as the commands
    take them; or an architecture or a candidate, which are of 28x28 gray images unless asked for
    otherwise. ``study`` and ``storage`` are where trials are. ValueError on anything else.
    """
    found = subject_of(of, study, storage)
    return Network(found if name is None else replace(found, name=name))


def subject_of(of: Named, study: str = DEFAULT_STUDY, storage: str = DEFAULT_STORAGE) -> Subject:
    """The same, as the rest of the package has it."""
    if isinstance(of, Network):
        return of.subject
    if isinstance(of, Architecture):
        of = Candidate(of)
    if isinstance(of, Candidate):
        return candidate_subject(of)
    if isinstance(of, bool) or not isinstance(of, str | int | Path):
        raise ValueError(
            f"network is {of!r}; give a name of the catalog, the number of a trial, 'best', the "
            "path of a JSON file, an architecture or a candidate"
        )
    return find_subject(str(of), study, storage)
