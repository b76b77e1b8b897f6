"""The parameters that every list takes."""

from typing import Annotated

from litestar.params import QueryParameter

Cursor = Annotated[str | None, QueryParameter(max_length=400, description="The `next_cursor` of the page before.")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Items a page.")]
