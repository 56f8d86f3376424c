"""Dataclasses that Keras can save."""

import dataclasses
from typing import Any
from typing import ClassVar
from typing import Self

import keras


class Config:
    """Base class of frozen dataclasses that are saved with a model.

    Subclasses are registered with Keras, so that `keras.saving.load_model`
    finds them once their module is imported: those of this library under the
    package `rigl_tf`, all others under Keras's `Custom`. A class that was
    renamed passes its old name as `registered_name`, so that older files still
    load.

    Raises:
        TypeError: If a class has an `__init__` of its own without
            `get_config`, so that its arguments would not be saved.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(
        cls, registered_name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and "get_config" not in vars(cls):
            raise TypeError(
                f"The arguments of {cls.__name__}.__init__ would not be saved "
                "with a model. Make the class a dataclass, "
                "`@dataclasses.dataclass(frozen=True)`, with its arguments as "
                "fields, or give it `get_config`."
            )
        is_own = cls.__module__.partition(".")[0] == "rigl_tf"
        package = "rigl_tf" if is_own else "Custom"
        keras.saving.register_keras_serializable(package, registered_name)(cls)

    def get_config(self) -> dict[str, Any]:
        """Returns a dictionary from the name of a field to its value."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.init
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the dataclass from its fields."""
        return cls(**config)
