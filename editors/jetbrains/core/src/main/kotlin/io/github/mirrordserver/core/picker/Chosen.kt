// The target that was chosen for a folder's launches, and the cluster context and namespace it is in.

package io.github.mirrordserver.core.picker

/** Where targets are looked for; nothing said: the kubeconfig's own. */
data class Scope(val context: String? = null, val namespace: String? = null)

data class Chosen(val path: String, val scope: Scope = Scope()) {
    /** The variables by which a launch says where the target is. */
    val environment: Map<String, String>
        get() = buildMap {
            scope.context?.let { put("MIRRORD_KUBE_CONTEXT", it) }
            scope.namespace?.let { put("MIRRORD_TARGET_NAMESPACE", it) }
        }
}
