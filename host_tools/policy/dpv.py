# SPDX-License-Identifier: MIT
"""Terms of the W3C Data Privacy Vocabulary (DPV 2): purposes, legal bases of the GDPR, and the
technical measures that follow from the rules.

Purposes: https://w3id.org/dpv#vocab-purposes, without those of trade, staff and advertising; legal
bases: https://w3id.org/dpv#vocab-legal-basis and https://w3id.org/dpv/legal/eu/gdpr. A name that
is missing here can be added; one that DPV does not have would say nothing to a machine.
"""

from host_tools.provisioning.checked import Table, suggestion
from node.policy.rules import Stream

DPV, GDPR = "dpv:", "eu-gdpr:"
_PURPOSES = (
    "AcademicResearch", "CombatClimateChange", "DataAltruism", "EnforceSecurity",
    "FulfilmentOfContractualObligation", "FulfilmentOfObligation",
    "ImproveExistingProductsAndServices", "ImproveHealthcare", "ImprovePublicServices",
    "ImproveTransportMobility", "IncreaseServiceRobustness", "InternalResourceOptimisation",
    "LegalCompliance", "NonCommercialPurpose", "NonCommercialResearch",
    "OptimisationForConsumer", "OptimisationForController", "ProtectionOfPublicSecurity",
    "ProvideOfficialStatistics", "PublicBenefit", "PublicPolicyMaking", "RepairImpairments",
    "RequestedServiceProvision", "ResearchAndDevelopment", "ScientificResearch",
    "ServiceOptimisation", "ServiceProvision", "ServiceUsageAnalytics",
    "TechnicalServiceProvision", "Verification",
)  # fmt: skip
_LEGAL_BASES = (
    "Consent", "Contract", "ContractPerformance", "EnterIntoContract", "LegalObligation",
    "LegitimateInterest", "LegitimateInterestOfController", "LegitimateInterestOfThirdParty",
    "OfficialAuthorityOfController", "PublicInterest", "VitalInterest",
)  # fmt: skip
_ARTICLES = (
    "A6-1-a", "A6-1-a-explicit-consent", "A6-1-a-non-explicit-consent", "A6-1-b",
    "A6-1-b-contract-performance", "A6-1-b-enter-into-contract", "A6-1-c", "A6-1-d",
    "A6-1-d-data-subject", "A6-1-d-natural-person", "A6-1-e", "A6-1-e-official-authority",
    "A6-1-e-public-interest", "A6-1-f", "A6-1-f-controller", "A6-1-f-third-party",
)  # fmt: skip
PURPOSES = tuple(DPV + name for name in _PURPOSES)
LEGAL_BASES = tuple(GDPR + name for name in _ARTICLES) + tuple(DPV + name for name in _LEGAL_BASES)


def measures(stream: Stream) -> list[str]:
    """https://w3id.org/dpv#vocab-TOM-technical: what the rules do to this stream's values."""
    found = []
    if stream.bins is not None:
        found.append(DPV + "HomomorphicEncryption")
    if stream.noise:
        found.append(DPV + "DifferentialPrivacy")
    return found


def take_purpose(table: Table) -> str:
    """The field `purpose`; ToolError for what is not a purpose of DPV."""
    return _take(table, "purpose", PURPOSES, (DPV,))


def take_legal_basis(table: Table) -> str:
    """The field `legal_basis`; ToolError for what is not a legal basis of DPV."""
    return _take(table, "legal_basis", LEGAL_BASES, (GDPR, DPV))


def _take(table: Table, key: str, known: tuple, prefixes: tuple) -> str:
    term = table.take(key, str)
    if not term.startswith(prefixes):
        mend = f"a term begins with {' or '.join(prefixes)}, such as {known[0]}"
        named = [one for one in known if one.partition(":")[2] == term]
        raise table.wrong(f"has {key} = {term!r}, without prefix", named[0] if named else mend)
    if term not in known:
        message = f"has {key} = {term!r}, which DPV does not have"
        raise table.wrong(message, suggestion(term, known))
    return term
