# Into a room: {room, name}. Who has a token is called what it says.
.args[0] as {$room, $name}
| if ($room | type) != "string" or ($room | test("^[a-z0-9]{1,32}$") | not) then
    {do: "error", code: "no_room", message: "a room is called a-z 0-9, 32 of them at most"}
  elif .sessions | index("chat.\($room)") then
    {do: "reply", value: "you are there"}
  else
    {do: "join", session: "chat.\($room)"},
    {do: "publish", session: "chat.\($room)", type: "came", to: "others",
      data: {name: (.user // $name // "somebody")}},
    {do: "reply", value: "welcome"}
  end
