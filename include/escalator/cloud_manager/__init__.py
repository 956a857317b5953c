"""Talks to OpenStack: Keystone, Nova, Placement, Glance and Neutron, over openstacksdk.

Import from the module that has the thing: ``cloud.Cloud`` is the face, ``connection.connect`` makes what it
needs. Importing this package alone imports nothing else, so that a DAG file pays nothing for it.
"""
