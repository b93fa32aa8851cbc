# SPDX-License-Identifier: GPL-2.0
# usage: gnuplot -e "data='growth.dat'; output='growth.svg'" plot.gp
set terminal svg size 760,480 font 'sans,13' background rgb 'white'
set output output
set logscale xy
set grid ytics mytics xtics lc rgb '#dddddd', lc rgb '#eeeeee'
set key outside right top
set xlabel 'sockets in CLOSE_WAIT'
set ylabel 'instructions'
set format x '10^%T'
set format y '10^%T'
set xrange [700:150000]
set title 'What grows with what it touches, and what does not'
plot data using 1:2 with linespoints pt 7 lw 2 title 'ss state close-wait', \
     data using 1:5 with linespoints pt 7 lw 2 title 'cwctl -j reap --all', \
     data using 1:4 with linespoints pt 7 lw 2 title 'read sockets', \
     data using 1:3 with linespoints pt 7 lw 2 title 'read ports', \
     data using 1:6 with linespoints pt 7 lw 2 title 'events of one spell'
