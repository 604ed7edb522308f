//! The call controller: who is called, who may open the door, what is recorded.
