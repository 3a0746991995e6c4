"""Is a gain due to what is retrieved? One model, the same photos, several kinds of references."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "audit": ["AuditSettings", "audit_retrieval"],
        "comparison": ["Comparison", "compare_conditions"],
        "conditions": ["Condition", "make_conditions"],
        "verdict": ["verdict"],
    },
)
