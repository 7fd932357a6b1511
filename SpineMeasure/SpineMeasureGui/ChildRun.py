"""A child process driven by Qt."""

import qt
import slicer

from SpineMeasureLib import child, processes


class ChildRun:
    """A `SpineMeasureLib.child.Runner` on a QProcess, so that Slicer stays responsive. Nodes are touched on the main
    thread only.

    :param python: the interpreter, PythonSlicer.
    :param job: from `SpineMeasureLib.child`.
    :param onUpdate: called with every `SpineMeasureLib.child.Update`.
    :param onFinished: called once, with None or a `SpineMeasureLib.child.Failure`, before the workspace is removed.
    """

    #: How long a child that was asked to end may clean up, and how often that is looked at (milliseconds).
    GRACE_MS = 3000
    TICK_MS = 100

    def __init__(self, python, job, workspace, onUpdate=None, onFinished=None) -> None:
        self.python = python
        self.job = job
        self.workspace = workspace
        self.conversation = child.Conversation()
        self.onUpdate = onUpdate
        self.onFinished = onFinished
        self.cancelled = False
        self.finished = False
        self._started = False
        self._tree = []
        self._waited = 0
        self._forced = False
        self._released = False
        self.process = qt.QProcess()
        self.process.connect("started()", self._onStarted)
        self.process.connect("readyReadStandardOutput()", self._onOutput)
        self.process.connect("readyReadStandardError()", self._onErrorOutput)
        self.process.connect("finished(int,QProcess::ExitStatus)", self._onProcessFinished)
        self.process.connect("errorOccurred(QProcess::ProcessError)", self._onProcessError)
        self._timer = qt.QTimer()
        self._timer.setInterval(self.TICK_MS)
        self._timer.connect("timeout()", self._onTick)

    def start(self):
        """Start the child; returns this object."""
        environment = qt.QProcessEnvironment()
        own = child.environment(slicer.util.startupEnvironment(), self.workspace.folder)
        for name, value in own.items():
            environment.insert(name, value)
        self.process.setProcessEnvironment(environment)
        self.process.setWorkingDirectory(str(self.workspace.folder))
        program, *arguments = child.command(self.python)
        self.process.start(program, arguments)
        self.process.write(child.first_line(self.job))
        return self

    def cancel(self) -> None:
        """Ask the whole tree to end, and end it when it takes too long."""
        if self.cancelled or self.finished:
            return
        self.cancelled = True
        self._tree = processes.process_tree(int(self.process.processId()))
        self.process.closeWriteChannel()
        processes.end_processes(self._tree)
        self._timer.start()

    def abandon(self) -> None:
        """End the tree at once without a report; for the end of the module or of Slicer."""
        self.onUpdate = self.onFinished = None
        if not self.finished:
            self.cancelled = True
            self._tree = processes.process_tree(int(self.process.processId()))
            self._force()
            self.process.waitForFinished(2000)
        self.workspace.remove()

    def wait(self) -> None:
        """Wait for the end, with Slicer responsive."""
        while not self.finished:
            self.process.waitForFinished(20)
            slicer.app.processEvents()

    def _onOutput(self) -> None:
        for update in self.conversation.feed(_bytes(self.process.readAllStandardOutput())):
            if self.onUpdate is not None and not self.cancelled:
                self.onUpdate(update)

    def _onErrorOutput(self) -> None:
        self.conversation.feed_log(_bytes(self.process.readAllStandardError()))

    def _onStarted(self) -> None:
        self._started = True

    def _onProcessError(self) -> None:
        # Later, since on Windows this may come before `start` has returned.
        if not self._started and self.process.state() == qt.QProcess.NotRunning:
            qt.QTimer.singleShot(0, lambda: self._finish(child.not_started(self.python)))

    def _onProcessFinished(self) -> None:
        self._onOutput()
        self._onErrorOutput()
        self.conversation.finish()
        crashed = self.process.exitStatus() == qt.QProcess.CrashExit
        self._finish(child.classify(self.conversation, self.process.exitCode(), crashed, self.cancelled))

    def _finish(self, failure) -> None:
        if self.finished:
            return
        self.finished = True
        try:
            if self.onFinished is not None:
                self.onFinished(failure)
        finally:
            self._timer.start()
            self._onTick()

    def _onTick(self) -> None:
        """After a cancellation wait for the tree, then end it; finally remove every file."""
        self._waited += self.TICK_MS
        if self._waited > self.GRACE_MS and not self._forced and self.cancelled:
            self._force()
        # The launcher may be gone while the child below it still cleans up.
        busy = self.cancelled and not self._forced and processes.running(self._tree)
        overdue = self._waited > 10 * self.GRACE_MS
        if self.finished and not busy and (self.workspace.remove() or overdue):
            self._release()

    def _release(self) -> None:
        """Let Qt take process and timer away: connected to this object, which holds them, they would stay forever."""
        if not self._released:
            self._released = True
            self._timer.stop()
            self._timer.deleteLater()
            self.process.deleteLater()

    def _force(self) -> None:
        self._forced = True
        processes.end_processes(self._tree, force=True)
        self.process.kill()


def _bytes(array) -> bytes:
    """What a QByteArray holds, whether its wrapping gives bytes or text."""
    data = array.data()
    return data.encode("utf-8") if isinstance(data, str) else bytes(data)
