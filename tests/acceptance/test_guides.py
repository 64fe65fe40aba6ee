"""The guides: what they show is formatted and valid, what they quote the provider says, what they link to is there."""
import json
import re
import shutil

import pytest

from conftest import HEAD, ROOT

GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^(<!-- continues -->\n+)?```terraform\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """Each block of each page; one that continues stands after those before it."""
    found = []
    for page in GUIDES:
        before = ""
        for m in BLOCK.finditer(page.read_text()):
            before = before + "\n" + m[2] if m[1] else m[2]
            line = page.read_text()[:m.start(2)].count("\n") + 1
            found.append(pytest.param(m[2], before, id=f"{page.name}:{line}"))
    return found


def undeclared(text):
    names = set(re.findall(r"\bvar\.(\w+)", text)) - set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    return "".join(f'variable "{name}" {{\n  type = string\n}}\n' for name in sorted(names))


@pytest.mark.parametrize("block, text", blocks())
def test_block_is_formatted_and_valid(core, block, text):
    (core.directory / "block.tf").write_text(block)
    formatted = core.run("fmt", "-check", "-diff", "block.tf")
    assert formatted.status == 0, formatted.output
    (core.directory / "block.tf").unlink()
    core.write(text + undeclared(text), head="" if "required_providers" in text else HEAD)
    result = core.validate()
    assert result.status == 0, result.output


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_first_configuration_plans_without_credentials(core, cloud):
    page = (ROOT / "docs/guides/getting-started.md").read_text()
    [text] = [m[2] for m in BLOCK.finditer(page) if "required_providers" in m[2] and f'"{cloud}"' in m[2]]
    core.env = {k: v for k, v in core.env.items() if not k.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_"))}
    core.write(text, head="")
    plan = core.plan(TF_VAR_tailscale_auth_key="x", AWS_EC2_METADATA_DISABLED="true", GCE_METADATA_HOST="127.0.0.1:9")
    assert plan.status == 0, plan.output
    assert "Plan: 1 to add" in plan.text and "Checks against the cloud were skipped" in plan.text


@pytest.mark.parametrize("page", GUIDES, ids=lambda p: p.name)
def test_front_matter(page):
    front = re.match(r'---\npage_title: ".+"\nsubcategory: "Guides"\ndescription: \|-\n  \S.*\n---\n\n', page.read_text())
    assert front, f"{page.name} starts with page_title, subcategory and description"


def anchors(page):
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "docs")))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.is_file(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(other), f"{page.name}: {target}"


def sources():
    """The strings of the program, adjacent literals joined."""
    text = "".join(f.read_text() for f in sorted((ROOT / "provider").rglob("*.c")) if "compiler" not in f.parts)
    joined = re.sub(r'"\s*\n\s*"', "", text)
    return {s.replace('\\"', '"') for s in re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)}


def headings(page):
    return re.findall(r"^### `(.*)`$", (ROOT / "docs/guides" / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize("message", headings("troubleshooting.md"))
def test_message_is_the_providers(message):
    """A heading is a summary as it is written, or "Error " and what was being done, with … for what differs."""
    parts = message.removeprefix("Error ").split("…")
    assert parts[0].strip() in sources(), message


def test_troubleshooting_names_each_message_once():
    listed = headings("troubleshooting.md")
    assert len(listed) > 30
    assert len(listed) == len(set(listed))


def test_policy_is_json_with_every_action_once():
    text = (ROOT / "docs/guides/permissions.md").read_text()
    policy = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
    actions = [a for s in policy["Statement"] for a in s["Action"]]
    assert len(actions) == len(set(actions)) > 50
    assert len(re.sub(r"\s", "", json.dumps(policy))) <= 6144  # of a managed policy (IAM User Guide, "IAM and AWS STS quotas")


def test_condition_names_the_roles_of_a_node():
    text = (ROOT / "docs/guides/credentials.md").read_text()
    named = set(re.findall(r'"(roles/[^"]+)"', text.split("hasOnly(")[1].split(")")[0]))
    given = set(re.findall(r'role\(d, "(roles/[^"]+)"', (ROOT / "provider/resources/gpu_node_gcp_derive.c").read_text()))
    assert named == given


# ---- import ----

EXAMPLE = ROOT / "examples/resources/llm_gpu_node"


def knows_identity(core):
    version = json.loads(core.ok("version", "-json").output)["terraform_version"]
    return tuple(int(n) for n in version.split(".")[:2]) >= (1, 12)


@pytest.mark.parametrize("example", ["import-by-string-id.tf", "import-by-identity.tf", "import.sh"])
def test_import_example(core, example):
    """A node whose state is lost comes back whole, and nothing is changed."""
    if example == "import-by-identity.tf" and not knows_identity(core):
        pytest.skip("this core imports by id only")
    key = {"TF_VAR_tailscale_auth_key": "tskey-x", "AWS_REGION": "eu-west-1"}
    core.write((EXAMPLE / "resource.tf").read_text())
    core.apply_ok(**key)
    before = core.state()["llm_gpu_node.chat"]
    (core.directory / "terraform.tfstate").unlink()
    if example == "import.sh":
        command = (EXAMPLE / example).read_text().splitlines()[-1].split()
        assert command[:2] == ["tofu", "import"]
        core.ok("import", "-no-color", "-input=false", *command[2:], **key)
    else:
        shutil.copy(EXAMPLE / example, core.directory)
        assert core.run("fmt", "-check", "-diff", example).status == 0
        plan = core.plan(**key)
        assert plan.status == 0, plan.output
        assert "1 to import, 0 to add, 0 to change, 0 to destroy" in plan.text
        core.apply_ok(**key)
    assert core.state()["llm_gpu_node.chat"]["instance_id"] == before["instance_id"]
    core.apply_ok(**key)
    assert core.plan("-detailed-exitcode", **key).status == 0
    assert core.state()["llm_gpu_node.chat"] == before


def test_configuration_is_generated(core):
    """The configuration that the core writes for an import is that of the node, but for the value that nobody can read."""
    key = {"TF_VAR_tailscale_auth_key": "tskey-x", "AWS_REGION": "eu-west-1"}
    core.write((EXAMPLE / "resource.tf").read_text())
    core.apply_ok(**key)
    (core.directory / "terraform.tfstate").unlink()
    shutil.copy(EXAMPLE / "import-by-string-id.tf", core.directory)
    core.write('variable "tailscale_auth_key" {\n  type      = string\n  ephemeral = true\n}\n')
    assert "Missing attribute" in core.plan("-generate-config-out=generated.tf", **key).output
    generated = core.directory / "generated.tf"
    generated.write_text(re.sub(r"(auth_key_wo +)= null.*", r"\1= var.tailscale_auth_key", generated.read_text()))
    plan = core.plan(**key)
    assert "1 to import, 0 to add, 0 to change, 0 to destroy" in plan.text, plan.output
