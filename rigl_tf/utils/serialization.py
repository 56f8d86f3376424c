"""Dataclasses that Keras can save."""

import dataclasses
from typing import Any
from typing import ClassVar
from typing import Self

import keras


class Config:
    """Base class of frozen dataclasses that are saved with a model.

    Subclasses are registered with Keras under the package `rigl_tf`, so that
    `keras.saving.load_model` finds them once their module is imported. A class
    that was renamed passes its old name as `registered_name`, so that older
    files still load.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(
        cls, registered_name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable("rigl_tf", registered_name)(
            cls
        )

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
