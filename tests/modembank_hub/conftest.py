"""A hub's database of its own: a file, and a database at a server."""

import pytest

from fakes.clusters import Cluster
from fakes.voices import SaidBox, open_hub_store
from modembank_hub.config import StoreConfig
from modembank_hub.postgres.store import SharedStore

STORES = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@pytest.fixture(scope="session")
def cluster():
    made = Cluster.quick()
    try:
        yield made.start()
    finally:
        made.end()


@pytest.fixture
def target(cluster):
    """A database with the hub's tables and nothing in them."""
    kept = cluster.kept_database()
    cluster.empty(kept)
    return kept


@pytest.fixture(params=STORES)
def stored(request):
    """Where a hub keeps everything, as its configuration names it."""
    if request.param == "sqlite":
        return StoreConfig()
    return StoreConfig(url=request.getfixturevalue("target").url)


@pytest.fixture(params=STORES)
async def store(request, tmp_path):
    if request.param == "sqlite":
        opened = await open_hub_store(tmp_path)
    else:
        opened = await SharedStore.open_at(request.getfixturevalue("target"), lazy_s=0.02, soon_s=0.01)
    yield opened
    await opened.close()


@pytest.fixture
def box():
    return SaidBox()
