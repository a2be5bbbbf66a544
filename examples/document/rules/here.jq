# To those who have just come: {doc}.
.args[0] as {$doc}
| if .sessions | index("people.\($doc)") then
    {do: "publish", session: "people.\($doc)", type: "user-here", to: "others", data: {$doc, user, client}}
  else
    {do: "error", code: "not_there", message: "join the document first"}
  end
