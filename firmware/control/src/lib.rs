//! The one table of commands behind CLI, console and local socket.
