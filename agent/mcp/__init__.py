"""rediagnose as an MCP server: the tools, resources and prompts that an assistant is given."""
