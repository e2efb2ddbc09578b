# On a stand-in for a node: its labels are what kind knows it by.
kind get clusters | grep learned
kind get nodes --name learned | grep learned-control-plane
kind delete cluster --name learned
kind get clusters
