"""The part of `slicer.parameterNodeWrapper` that the module uses."""

from __future__ import annotations

from collections import namedtuple
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Choice = namedtuple("Choice", "choices")


def parameter_node_wrapper(kind: type) -> type:
    """The part of Slicer's decorator that the module uses: nodes, texts, choices, switches; connected by a mapping."""
    hints = get_type_hints(kind, include_extras=True)
    choices = {name: get_args(hint)[1].choices for name, hint in hints.items() if get_origin(hint) is Annotated}
    kinds = {name: get_args(hint)[0] if name in choices else hint for name, hint in hints.items()}

    class Wrapper:
        def __init__(self, node: Any) -> None:
            own = {"parameterNode": node, "AddObserver": node.AddObserver, "RemoveObserver": node.RemoveObserver}
            self.__dict__.update(own, _guis=[])

        def __getattr__(self, name: str) -> Any:
            if kinds[name] not in (str, bool):
                return self.parameterNode.GetNodeReference(name)
            kept = self.parameterNode.GetParameter(name) or str(getattr(kind, name))
            return kept == "True" if kinds[name] is bool else kept

        def __setattr__(self, name: str, value: Any) -> None:
            is_node = kinds[name] not in (str, bool)
            if not isinstance(value, kinds[name]) and not (is_node and value is None):
                raise TypeError(f"{name} takes {kinds[name].__name__}")
            if value not in choices.get(name, [value]):
                raise ValueError(f"{value} is no choice of {name}")
            if is_node:
                self.parameterNode.SetNodeReferenceID(name, value and value.GetID())
            else:
                self.parameterNode.SetParameter(name, str(value))

        def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
            """Connect widgets by the names of their parameters."""
            made = [_Connector(self, name, widget, choices.get(name)) for name, widget in mapping.items()]
            self._guis.append(made)

            def follow(node: Any, event: str) -> None:
                # A scene that is imported brings its references back without an event.
                if node.GetScene() is None or not node.GetScene().IsImporting():
                    for each in made:
                        if each.widget:
                            each.show()

            # Never taken away, as in Slicer: a wrapper that Python collects crashes at the next change of its node.
            self.parameterNode.AddObserver("ModifiedEvent", follow)
            return len(self._guis) - 1

        def disconnectGui(self, tag: int) -> None:
            """Undo `connectParametersToGui`."""
            for each in self._guis[tag]:
                each.widget.disconnect(each.signal, each.follow)
                each.widget = None

    return Wrapper


class _Connector:
    """Keeps a widget and a parameter the same. A box with choices is filled anew with them, as in Slicer."""

    _kinds = {
        "QComboBox": ("currentIndexChanged(int)", "currentIndex"), "QLineEdit": ("textChanged(QString)", "text"),
        "QCheckBox": ("toggled(bool)", "checked"), "qMRMLNodeComboBox": ("currentNodeChanged(vtkMRMLNode*)", ""),
    }  # fmt: skip

    def __init__(self, parameters: Any, name: str, widget: Any, choices: list[Any] | None) -> None:
        self.parameters, self.name, self.widget, self.choices = parameters, name, widget, choices
        self.signal, self.shown = self._kinds[type(widget).__name__]
        if choices:
            widget.clear()
            widget.addItems(choices)
        self.show()
        widget.connect(self.signal, self.follow)

    def show(self) -> None:
        """Parameter to widget."""
        value = getattr(self.parameters, self.name)
        if self.shown:
            setattr(self.widget, self.shown, self.choices.index(value) if self.choices else value)
        else:
            self.widget.setCurrentNode(value)

    def follow(self) -> None:
        """Widget to parameter."""
        value = getattr(self.widget, self.shown) if self.shown else self.widget.currentNode()
        setattr(self.parameters, self.name, self.choices[value] if self.choices else value)
