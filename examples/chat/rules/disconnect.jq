# Who is gone is gone from all rooms.
.sessions[] | select(startswith("chat.")) as $room
| {do: "publish", session: $room, type: "went", data: {}}
