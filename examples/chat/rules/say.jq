# To everybody in a room: {room, name, text}.
.args[0] as {$room, $name, $text}
| if .sessions | index("chat.\($room)") | not then
    {do: "error", code: "not_there", message: "enter the room first"}
  elif ($text | type) != "string" or ($text | length) > 500 then
    {do: "error", code: "bad_text", message: "text must be a string of 500 characters at most"}
  else
    {do: "publish", session: "chat.\($room)", type: "said", to: "all",
      data: {name: (.user // $name // "somebody"), $text}}
  end
