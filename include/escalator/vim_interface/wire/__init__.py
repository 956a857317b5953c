"""What goes over the wire to managers of VNFs and comes back, in the words of OpenStack Fenix."""
