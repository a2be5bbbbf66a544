# An edit: {doc, id, base, op}, where base is the number of the last edit that its author had seen. All but the
# author get it; the author gets its number, once it is stored.
.args[0] as {$doc, $id, $base, $op}
| if .sessions | index("doc.\($doc)") | not then
    {do: "error", code: "not_there", message: "join the document first"}
  elif .claims.documents[$doc] != "write" then
    {do: "error", code: "read_only", message: "\(.user) may only read this document"}
  elif (($id | type) == "string" and ($id | length) <= 64 and ($base | type) == "number" and $base >= 0 and $base == ($base | floor)
      and ($op | type) == "array" and ($op | length) <= 1000
      and all($op[]; type == "string" or (type == "number" and . == floor))) | not then
    {do: "error", code: "bad_operation", message: "this is no edit"}
  else
    {do: "publish", session: "doc.\($doc)", type: "remote-edit", to: "others", fields: {$id, $base, $op}}
  end
