"""The resources that configurations are generated for, by name and cloud."""
from tests.conformance import gpu_node, platform_cluster

SUBJECTS = {"gpu_node": gpu_node.SUBJECTS, "platform_cluster": platform_cluster.SUBJECTS}
