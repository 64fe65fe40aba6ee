"""Options of a node on Google Cloud that generated configurations have found wanting, each in its smallest form."""
from conftest import gcp_node
from test_gcp_life import instances, made

M = 'models = ["llama3.1:8b"]'


def test_a_disk_that_the_chosen_machine_does_not_take(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body=M + '\n  disk = { type = "hyperdisk-balanced" }'))
    result = gcp_one_core.plan()
    assert result.status == 1 and "n1-standard-4+nvidia-tesla-t4:1 does not take hyperdisk-balanced" in result.text, result.output
    gcp_one_core.write(gcp_node(body=M + '\n  disk = { type = "pd-standard" }\n  machine = { type = "g2-standard-4" }'))
    result = gcp_one_core.validate()
    assert result.status == 1 and "g2-standard-4 does not take pd-standard" in result.text, result.output
    assert made(gcp_cloud) == {}


def test_a_setting_of_the_disk_that_turns_out_null(gcp_one_core, gcp_cloud):
    """The attribute is unknown in the plan: whether it is set at all is seen at apply."""
    gcp_one_core.write('resource "terraform_data" "u" {\n  input = { iops = null, machines = ["g2-standard-4"] }\n}\n' + gcp_node(
        body=M + '\n  disk = {\n    type = "pd-ssd"\n    iops = terraform_data.u.output.iops\n  }\n  machine = { candidates = terraform_data.u.output.machines }'))
    gcp_one_core.apply_ok()
    assert [i["machineType"].rsplit("/", 1)[1] for i in instances(gcp_cloud)] == ["g2-standard-4"]
    gcp_one_core.no_difference()
