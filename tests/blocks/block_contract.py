"""What every block must offer, whichever system it connects to; one class a block inherits these tests.

class TestMailServer(BlockContract):
block = MailServer
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any, ClassVar

from prefect.blocks.core import Block

_OF_PREFECT = set(Block.model_fields)


class BlockContract:
    """Inherit it with `block` set."""

    block: ClassVar[type[Block]]

    def test_it_has_a_description(self) -> None:
        """The Prefect UI shows it on the block's card."""
        description = self.block.get_description()
        assert description
        assert description.endswith(".")

    def test_its_names_are_chosen(self) -> None:
        """A slug derived from the class would change with it, and stored blocks would be lost."""
        assert self.block.__dict__.get("_block_type_name") or self.block._block_type_name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.block._block_type_slug or "")

    def test_every_field_is_described(self) -> None:
        """The description is what an operator sees beside the field."""
        own = {name: field for name, field in self.block.model_fields.items() if name not in _OF_PREFECT}
        assert own
        for name, field in own.items():
            assert field.description, f"{name} has no description"
            assert field.description.endswith("."), f"{name}: a description is a sentence"

    def test_it_has_a_code_example_that_fits_the_class(self) -> None:
        """It imports the block from where it lies, loads or makes one, calls what exists, and is Python."""
        example = self.block.get_code_example()
        assert example
        assert "import" in (inspect.getdoc(self.block) or ""), "Prefect made this example up, for want of one"
        code = "\n".join(re.findall(r"```python\n(.*?)```", example, re.DOTALL)) or example
        tree = ast.parse(inspect.cleandoc(code))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert any(node.module == self.block.__module__ for node in imports)
        assert re.search(rf"\b{self.block.__name__}(\.load)?\(", code)
        _check_calls(tree, self.block)

    def test_check_tries_it(self) -> None:
        """`nakoming check` calls it on every stored block, without arguments."""
        check: Any = getattr(self.block, "check", None)
        assert callable(check)
        parameters = list(inspect.signature(check).parameters.values())[1:]
        assert all(parameter.default is not inspect.Parameter.empty for parameter in parameters)
        assert inspect.getdoc(check)

    def test_no_secret_is_stored(self) -> None:
        """Prefect gives every caller of its API the text of secret fields: references are stored instead."""
        for name, field in self.block.model_fields.items():
            if re.search(r"password|passphrase|private_key|token|secret", name):
                assert "SecretReference" in str(field.annotation), f"{name} must be a SecretReference"


def _check_calls(tree: ast.AST, block: type[Block]) -> None:
    # The methods that the example calls on the loaded block exist, with these keywords.
    loaded = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(block.__name__)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id in loaded:
            parameters = inspect.signature(getattr(block, node.func.attr)).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(parameters)
