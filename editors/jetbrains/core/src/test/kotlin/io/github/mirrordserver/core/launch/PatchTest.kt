package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.JetBrainsPatch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class PatchTest {
    private val plain = Description(
        name = "app",
        kind = Description.Kind.RUN,
        adapter = null,
        executable = "/shop/app",
        vmArguments = null,
        arguments = listOf("--port", "80"),
        workingDirectory = "/work",
        environment = mapOf("A" to "1", "B" to "2"),
    )
    private val java = plain.copy(executable = "/jdk/bin/java", adapter = "jdwp", vmArguments = listOf("-Xmx1g"), arguments = listOf("Main", "x"))

    @Test
    fun `variables are set and taken away, and the run configuration's map stays as it is`() {
        val patched = plain.patched(JetBrainsPatch(env = mapOf("B" to "3", "C" to "4"), unset = listOf("A", "PARENTS")))
        assertEquals(mapOf("A" to null, "B" to "3", "C" to "4", "PARENTS" to null), patched.environment)
        assertEquals(mapOf("A" to "1", "B" to "2"), plain.environment)
        assertEquals(plain.commandLine, patched.commandLine)
    }

    @Test
    fun `a launcher stands in front of a program`() {
        val patch = JetBrainsPatch(exe = "/mirrord-server", prependArgs = listOf("@launch", "/socket", "/shop/app"))
        val words = listOf("/mirrord-server", "@launch", "/socket", "/shop/app", "--port", "80")
        assertEquals(words, plain.patched(patch).commandLine)
    }

    @Test
    fun `a launcher stands in front of a runtime and its own arguments`() {
        val patch = JetBrainsPatch(exe = "/mirrord-server", prependArgs = listOf("@launch", "/socket", "/jdk/bin/java"), vmArgs = listOf("-Dx=y"))
        val words = listOf("/mirrord-server", "@launch", "/socket", "/jdk/bin/java", "-Xmx1g", "-Dx=y", "Main", "x")
        assertEquals(words, java.patched(patch).commandLine)
    }

    @Test
    fun `arguments of the virtual machine come behind its own, before the program`() {
        assertEquals(listOf("/jdk/bin/java", "-Xmx1g", "-Dx=y", "Main", "x"), java.patched(JetBrainsPatch(vmArgs = listOf("-Dx=y"))).commandLine)
    }

    @Test
    fun `all arguments anew replace the old ones`() {
        val docker = plain.copy(executable = "docker", arguments = listOf("run", "image"))
        assertEquals(listOf("docker", "run", "-e", "A=1", "image"), docker.patched(JetBrainsPatch(args = listOf("run", "-e", "A=1", "image"))).commandLine)
    }

    @Test
    fun `the server is told the whole command line, and what runs it`() {
        val launch = java.copy(debuggerPort = 5005).toLaunch()
        assertEquals("/jdk/bin/java", launch.runtime)
        assertEquals(null, launch.program)
        assertEquals(listOf("-Xmx1g", "Main", "x"), launch.args)
        assertEquals(5005, launch.debugger?.port)
        assertEquals("/shop/app", plain.toLaunch().program)
    }

    @Test
    fun `builds are told from runs`() {
        val none = emptyMap<String, String?>()
        for (tasks in listOf(listOf("build"), listOf(":app:jar", "clean"), listOf("compileKotlin", "--info"), listOf("test-compile"))) {
            assertTrue(onlyBuilds(tasks, none), "$tasks")
        }
        for (tasks in listOf(emptyList(), listOf("bootRun"), listOf("build", "run"), listOf(":app:test"), listOf("spring-boot:run"), listOf("--info"))) {
            assertFalse(onlyBuilds(tasks, none), "$tasks")
        }
        assertFalse(onlyBuilds(listOf("build"), mapOf(MIRRORD_FORCE_RUN to "true")))
        assertTrue(onlyBuilds(listOf("build"), mapOf(MIRRORD_FORCE_RUN to "0")))
    }
}
