#!/bin/sh
# Prints the access of the provisioner's account to the cluster that kubectl talks to, as a kubeconfig. Before:
# kubectl apply -f provisioner-rbac.yaml. It holds a token: keep it from others.
#   kubeconfig.sh [SERVER]    the API server's address as the provisioner's host reaches it; else that of kubectl
set -eu
secret=instorage-provisioner-token

of_secret() { kubectl -n kube-system get secret "$secret" -o "jsonpath={.data.$1}"; }

tries=30 # seconds; Kubernetes writes the token when it has seen the account
until token=$(of_secret token) && [ -n "$token" ]; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        echo "kubeconfig.sh: the Secret $secret in kube-system has no token: kubectl apply -f provisioner-rbac.yaml," \
            "and see whether kube-controller-manager runs." >&2
        exit 1
    fi
    sleep 1
done
server=${1:-$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')}
case $server in
*://127.* | *://localhost* | *'://[::1]'*)
    echo "kubeconfig.sh: $server is this machine itself: unless the provisioner runs here too, give the address" \
        "that its host reaches: kubeconfig.sh https://HOST:6443" >&2 ;;
esac
cat <<END
apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {server: "$server", certificate-authority-data: $(of_secret 'ca\.crt')}
users:
- name: instorage-provisioner
  user: {token: $(printf %s "$token" | base64 -d)}
contexts:
- name: instorage-provisioner
  context: {cluster: cluster, user: instorage-provisioner}
current-context: instorage-provisioner
END
