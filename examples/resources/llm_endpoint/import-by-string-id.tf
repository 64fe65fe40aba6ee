# The id is CLOUD/REGION/NAME, for example aws/us-west-2/quant; of one in a cluster CLOUD/REGION/CLUSTER/NAMESPACE/NAME.
import {
  to = llm_endpoint.quant
  id = "aws/us-west-2/quant"
}
