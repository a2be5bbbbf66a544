# Into a document: {doc, since}. The token's claim `documents` says what one may do where; `since` is the place
# of the last edit that the client has, where it was here before.
.args[0] as {$doc, $since}
| {$doc, user, client} as $who
| (if ($doc | type) == "string" then .claims.documents[$doc]? else null end) as $may
| if $may != "read" and $may != "write" then
    {do: "error", code: "no_access", message: "\(.user) may not open this document"}
  else
    {do: "join", session: "people.\($doc)"},
    {do: "join", session: "doc.\($doc)", since: ($since // 0)},
    {do: "publish", session: "people.\($doc)", type: "user-joined", to: "others", data: $who},
    {do: "reply", value: ($who + {$may})}
  end
