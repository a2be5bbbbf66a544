# Who is gone has left all documents.
{user, client} as $who
| .sessions[] | select(startswith("people."))
| {do: "publish", session: ., type: "user-left", to: "all", data: ({doc: .[7:]} + $who)}
