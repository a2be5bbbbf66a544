# Who asks what can be said is told, and nobody else.
{do: "emit", type: "help", data: {events: ["enter", "say", "help"], rooms: .sessions}}
