"""A server that answers like Elasticsearch, unless ELASTICSEARCH_URL names a real one."""

import pytest
from fake_elasticsearch import FakeElasticsearch
from index_kinds import has_real_elasticsearch

from procrop.retrieval.indexes import ElasticsearchIndex


@pytest.fixture(scope="session")
def elasticsearch_server():
    """Makes ELASTICSEARCH_URL name a server; gives the fake one, or None for a real one."""
    if has_real_elasticsearch():
        yield None
        return
    with FakeElasticsearch() as fake, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELASTICSEARCH_URL", fake.url)
        patch.setattr(ElasticsearchIndex, "first_wait", 0.01)
        yield fake
