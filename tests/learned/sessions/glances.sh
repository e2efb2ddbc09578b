# The containers plugin, as a person sees it refresh.
glances --disable-check-update --stdout containers --time 1 --stop-after 5 >shown
grep -q staged shown
