"""An outbound call that reminds a customer of an appointment."""
