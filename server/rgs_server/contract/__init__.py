"""What callers see: requests, answers, problems, amounts, and the OpenAPI document made of them."""
