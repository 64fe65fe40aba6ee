import {
  to = llm_vault.x
  id = "gcp/x"
}
