"""What goes over the wire to and from managers of VNFs."""
