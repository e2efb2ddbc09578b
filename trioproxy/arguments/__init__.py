"""What does a request ask for, and is that within limits? Plain functions on values."""
