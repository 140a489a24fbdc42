"""What belongs to a process as a whole: its one object, the children it forks, the threads its handlers start."""
