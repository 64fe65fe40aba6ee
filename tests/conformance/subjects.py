"""The resources that configurations are generated for, by name and cloud."""
from tests.conformance import endpoint, gpu_node, platform_cluster

SUBJECTS = {"endpoint": endpoint.SUBJECTS, "endpoint_in_cluster": endpoint.IN_CLUSTERS, "gpu_node": gpu_node.SUBJECTS, "platform_cluster": platform_cluster.SUBJECTS}
